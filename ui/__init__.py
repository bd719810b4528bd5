"""The web chat."""

import os

# Before Gradio is imported: it would otherwise ask its maker's server for its newest version and report its use.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"
