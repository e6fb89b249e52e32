"""One study in a database, searched by several processes and machines at once."""
