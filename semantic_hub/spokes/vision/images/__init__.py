"""Pictures: drawn ones, files with captions, COCO annotations."""
