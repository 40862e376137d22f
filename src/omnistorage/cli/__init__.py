"""The command: one file per command, named like it; files with an underscore serve the others."""
