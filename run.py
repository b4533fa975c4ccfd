"""Train, evaluate and predict: `python run.py --help`."""

from yolact_pl.tasks.main import main

if __name__ == "__main__":
    main()
