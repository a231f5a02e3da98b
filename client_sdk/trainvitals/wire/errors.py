"""What can be wrong with a message.

WireError
├── Malformed          not decodable, wrong type, missing field
├── UnknownVersion     written by a newer (or foreign) SDK
├── ChecksumMismatch   damaged on its way
└── AbsurdShape        sizes that contradict each other, or exceed the limits
"""


class WireError(ValueError):
    """A message that cannot be taken. ``kind`` names the error in problem+json answers."""

    kind = "malformed"


class Malformed(WireError):
    """The bytes are not the message that they should be."""


class UnknownVersion(WireError):
    """The message's version is not one that this side reads."""

    kind = "unknown-version"

    def __init__(self, version: object) -> None:
        super().__init__(f"frame version {version!r} is unknown here: upgrade the server, or the SDK if it is older")
        self.version = version


class ChecksumMismatch(WireError):
    """The checksum in the message is not that of its data."""

    kind = "checksum-mismatch"


class AbsurdShape(WireError):
    """The sizes stated and the data sent contradict each other, or exceed the limits."""

    kind = "absurd-shape"
