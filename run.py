"""Train, evaluate and predict: `python run.py --help`."""

from yolact_pl.cli.main import main

if __name__ == "__main__":
    main()
