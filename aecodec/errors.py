"""Every error that aecodec raises on purpose.

::

    AecError
    ├── FormatError              not an aecodec file, or one that breaks the format's rules
    │   ├── TruncatedError       the file ends too early
    │   ├── ChecksumError        the bytes are damaged
    │   └── UnsupportedVersion   made by a later version of the format
    ├── DecodeError              intact file, but the decoded symbols are not the encoded ones
    ├── ModelError               a weights file is missing, unreadable or not what a file asks for
    │   └── MissingModel         the model that a file names is not at hand
    ├── LimitError               larger than the limits in force
    │   └── PixelLimit           more pixels than max_pixels
    ├── ImageError               a picture that cannot be read or is of a kind that would lose something
    ├── DataError                training data that cannot be trained on
    ├── MissingExtra             a library that only training or effort needs is not installed
    └── OutputError              a result cannot be written, or would overwrite something
        └── TargetExists         there is something already where the result was to go
"""


class AecError(Exception):
    """Base of all errors of this package."""


class FormatError(AecError):
    """Not an aecodec file, or one that breaks the rules of the format."""


class TruncatedError(FormatError):
    """The file ends before its contents do."""


class ChecksumError(FormatError):
    """The bytes of the file are not those that were written."""


class UnsupportedVersion(FormatError):
    """The file was made by a later version of the format."""


class DecodeError(AecError):
    """The file is intact, but decoding did not restore the symbols that were encoded."""


class ModelError(AecError):
    """A weights file is missing, unreadable, or not the one that a file asks for."""


class MissingModel(ModelError):
    """The model that a file names is not at hand."""

    def __init__(self, message: str, model_id: str = "") -> None:
        super().__init__(message)
        self.model_id = model_id  # hexadecimal


class LimitError(AecError):
    """A picture is larger than the limit in force."""


class PixelLimit(LimitError):
    """A picture has more pixels than ``max_pixels``."""


class ImageError(AecError):
    """A picture that cannot be read, or whose kind could only be stored with a loss."""


class DataError(AecError):
    """Training data that cannot be trained on."""


class OutputError(AecError):
    """A result cannot be written, or would overwrite an existing file."""


class TargetExists(OutputError):
    """There is something already where the result was to go."""


class MissingExtra(AecError):
    """A library is not installed that only training, effort or measuring needs."""


def missing_extra(error: ModuleNotFoundError, what: str, extra: str = "train") -> MissingExtra:
    """The error of something that needs the missing module of ``error``, which an extra of the package installs."""
    return MissingExtra(f"{what} needs {error.name}: pip install 'aecodec[{extra}]'")


class Notice(UserWarning):
    """What somebody should know although nothing failed; commands say it in a line."""


class MetadataWarning(Notice):
    """Something beside the pixels of a picture could not be kept, and is left out."""


class EffortWarning(Notice):
    """Effort was asked for of a model whose files it does not make smaller."""


class PassedOverWarning(Notice):
    """Files of a folder were passed over, being no pictures, or could not be looked at."""
