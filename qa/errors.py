"""All errors that the package raises on purpose. Each message is one line that says what to do next.

QAError
├── FolderError        the documents folder is missing, unreadable or not a folder
├── DocumentError      one file cannot be read; it is skipped with this reason
│   └── UnreadableError the system refused to open or read the file; that may work later
├── StoreError         the store cannot be opened, read or written
│   ├── StoreBusy      another process is writing
│   └── StoreDamaged   the library's own data are damaged
├── ModelError         packaged weights are missing or damaged
├── QuestionError      the question, its history or its document filter is not valid
├── QuoteError         a quote is not the exact slice it claims to be (promise 1)
└── ReplayError        a trace cannot be replayed, because something has changed
"""


class QAError(Exception):
    """Root of all errors raised on purpose; `str(error)` is one line for a person."""


class FolderError(QAError):
    """The documents folder is missing, unreadable or not a folder."""


class DocumentError(QAError):
    """One file cannot be read; the other files are indexed."""


class UnreadableError(DocumentError):
    """The system refused to open or read the file; that may work later."""


class StoreError(QAError):
    """The store cannot be opened, read or written."""


class StoreBusy(StoreError):
    """Another process is writing to the store."""


class StoreDamaged(StoreError):
    """The data in the store's database are damaged and must be rebuilt."""


class ModelError(QAError):
    """Packaged weights are missing or damaged."""


class QuestionError(QAError):
    """The question, its history or its document filter is not valid."""


class QuoteError(QAError):
    """A quote is not the exact slice it claims to be."""


class ReplayError(QAError):
    """A trace cannot be replayed; the message names what has changed."""
