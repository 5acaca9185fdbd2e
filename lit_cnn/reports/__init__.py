"""What runs came to: read from their folders, compared with statistics, written as a document."""
