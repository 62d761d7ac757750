"""Pattern and column generation with certificates, for placement of items in bins of classes."""
