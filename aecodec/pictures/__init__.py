"""Pictures from and to files of other formats, arrays of pictures, and their lossless coding."""
