"""Between streams and values: codecs, links, outboxes and the services themselves."""
