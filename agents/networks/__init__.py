"""Networks over the graph of an instance: an encoder that looks once, heads that point."""
