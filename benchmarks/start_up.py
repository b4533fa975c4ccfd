"""How long `python run.py --help` and `python run.py --cfg job` take, from the start of Python to its end.

    python benchmarks/start_up.py [--repeats 10]

Beside them a Python that only imports torch, as any task does: what they would take at least if they did too.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from alternating import compare, print_rows

RUN = Path(__file__).resolve().parents[1] / "run.py"
COMMANDS = {
    "a Python that imports torch": ["-c", "import torch"],
    "run.py --help": [str(RUN), "--help"],
    "run.py --cfg job": [str(RUN), "--cfg", "job"],
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=10)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:

        def start(arguments: list[str]) -> None:
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True, cwd=folder)

        variants = {name: lambda a=arguments: start(a) for name, arguments in COMMANDS.items()}
        print_rows(compare("answer", variants, repeats=args.repeats, warmup=1))


if __name__ == "__main__":
    main()
