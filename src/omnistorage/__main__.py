"""``python -m omnistorage`` is the command ``omnistorage``."""

from omnistorage.cli.main import main

main()
