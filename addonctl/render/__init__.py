"""Reports: an Assessment in, text or a document out. Pure; no other package knows a report format."""
