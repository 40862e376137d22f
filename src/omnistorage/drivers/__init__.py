"""One file per protocol; the file's name is the scheme."""
