"""The store of one folder: texts in SQLite, vectors in Chroma, uploads and conversations as files (README.md)."""
