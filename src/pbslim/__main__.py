"""``python -m pbslim``."""

from pbslim.cli import main

main()
