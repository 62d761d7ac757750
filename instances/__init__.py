"""Instance files: formats, the shipped library with its best-known bounds, generators.

``read`` takes a file or a shipped name, ``read_all`` several, ``parse`` bytes, ``read_folder`` a
folder; ``write`` and
``dumps`` go the other way. ``detection`` says how a format is recognised. ``library``,
``generate`` and ``solutions`` are the shipped instances, the generators and solution files.
"""

if __name__ != "cpsched.instances":
    raise ImportError(f"import this package as cpsched.instances, not as {__name__}")

from cpsched.instances import generate as generate
from cpsched.instances import library as library
from cpsched.instances import solutions as solutions
from cpsched.instances.formats import ALL_FORMATS as ALL_FORMATS
from cpsched.instances.formats import FORMATS as FORMATS
from cpsched.instances.formats import POD_FORMATS as POD_FORMATS
from cpsched.instances.formats import REASSIGNMENT_FORMATS as REASSIGNMENT_FORMATS
from cpsched.instances.formats import VM_FORMATS as VM_FORMATS
from cpsched.instances.reading import MAX_BYTES as MAX_BYTES
from cpsched.instances.reading import folder_files as folder_files
from cpsched.instances.reading import gather as gather
from cpsched.instances.reading import parse as parse
from cpsched.instances.reading import read as read
from cpsched.instances.reading import read_all as read_all
from cpsched.instances.reading import read_folder as read_folder
from cpsched.instances.writing import dumps as dumps
from cpsched.instances.writing import write as write
