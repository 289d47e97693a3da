"""CSV files of another tool -> events, streaming: survey -> rows -> columns -> entries -> batches -> ingest's door.

Everything before the door is pure but for reading the file; a file of any size needs the memory of one batch.
"""
