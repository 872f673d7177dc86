"""Files: the container of one picture or a stack, and archives of many."""
