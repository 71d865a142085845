"""The image viewer of a report: which pictures there are, where they lie, and the data that the page's script reads."""
