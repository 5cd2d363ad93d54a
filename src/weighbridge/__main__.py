"""Makes `python -m weighbridge` the same as the command `weighbridge`."""

from weighbridge.cli.main import main

if __name__ == "__main__":
    main()
