"""Who watches the output, and the progress bars of other libraries, which are kept out of logs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


def in_terminal() -> bool:
    """Whether messages go to a terminal, and not to a file, a pipe or a notebook."""
    return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def without_bars_in_logs() -> Iterator[None]:
    """Context in which transformers draws no progress bars, unless a person watches them.

    Example:
        >>> from transformers.utils import logging
        >>> with without_bars_in_logs():
        ...     logging.is_progress_bar_enabled() and not (in_notebook() or in_terminal())
        False
    """
    from huggingface_hub.utils import are_progress_bars_disabled
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled() and not are_progress_bars_disabled()
    if not shown or in_notebook() or in_terminal():
        yield
        return
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()
