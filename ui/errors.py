"""What a page and the HTTP API say of an error: never a path of the server."""

import logging

from qa.errors import QAError

log = logging.getLogger(__name__)


def error_line(error: QAError) -> str:
    """The error in one line for a person who uses the chat; what only the one who runs it may read is logged."""
    if str(error) != error.public:
        log.warning("%s", error)
    return error.public
