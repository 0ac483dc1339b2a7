"""Write files and folders so that a kill or a power cut leaves the old or the new: content in, paths out."""
