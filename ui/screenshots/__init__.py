"""Pictures of the web chat, made by `make screenshots`."""
