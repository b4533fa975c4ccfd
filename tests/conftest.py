"""What holds for all tests."""

import signal


def pytest_configure() -> None:
    """Shells have commands in the background ignore Ctrl+C, and so would every process that tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
