"""Load: time, memory and disk; how they grow with the collection; many askers at a time over a changing folder."""
