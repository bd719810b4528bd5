"""All errors that the package raises on purpose. Each message is one line that says what to do next.

QAError
├── FolderError        the documents folder is missing, unreadable or not a folder
├── DocumentError      one file cannot be read; it is skipped with this reason
│   └── UnreadableError the system refused to open or read the file; that may work later
├── StoreError         the store cannot be opened, read or written
│   ├── StoreBusy      another process is writing
│   └── StoreDamaged   the library's own data are damaged
├── ReaderError        what was passed as the reader cannot be one, or gives no usable readings
├── EmbedderError      what was passed as the embedder cannot be one, or gives no usable vectors
├── ModelError         packaged weights are missing or damaged
├── QuestionError      the question, its history or its document filter is not valid
├── QuoteError         a quote is not the exact slice it claims to be (promise 1)
└── ReplayError        a trace cannot be replayed, because something has changed
"""

_ASK_THE_OWNER = "the person who runs this chat finds the reason in its terminal."


class QAError(Exception):
    """Root of all errors raised on purpose; `str(error)` is one line for the person who runs the program."""

    @property
    def public(self) -> str:
        """The line for a person who uses a chat that is served: it names no path of the server."""
        return str(self)


class FolderError(QAError):
    """The documents folder is missing, unreadable or not a folder."""

    @property
    def public(self) -> str:
        return f"The documents folder cannot be read now; {_ASK_THE_OWNER}"


class DocumentError(QAError):
    """One file cannot be read; the other files are indexed."""


class UnreadableError(DocumentError):
    """The system refused to open or read the file; that may work later."""


class StoreError(QAError):
    """The store cannot be opened, read or written."""

    @property
    def public(self) -> str:
        return f"The index cannot be used now; {_ASK_THE_OWNER}"


class StoreBusy(StoreError):
    """Another process is writing to the store."""

    @property
    def public(self) -> str:
        return "Another process is changing the index; try again when it has finished."


class StoreDamaged(StoreError):
    """The data in the store's database are damaged and must be rebuilt."""

    @property
    def public(self) -> str:
        return "The index is damaged; the person who runs this chat can rebuild it with `qa check`."


class ReaderError(QAError):
    """What was passed as the reader cannot be one, or gives scores that are no confidence."""


class EmbedderError(QAError):
    """What was passed as the embedder cannot be one for this store, or gives vectors that cannot be compared."""


class ModelError(QAError):
    """Packaged weights are missing or damaged."""

    @property
    def public(self) -> str:
        return f"The packaged models cannot be used; {_ASK_THE_OWNER}"


class QuestionError(QAError):
    """The question, its history or its document filter is not valid."""


class QuoteError(QAError):
    """A quote is not the exact slice it claims to be."""


class ReplayError(QAError):
    """A trace cannot be replayed; the message names what has changed."""
