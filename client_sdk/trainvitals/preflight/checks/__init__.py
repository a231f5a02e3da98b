"""One check a file, the function named like the file; ``catalogue`` finds them.

A check looks at a ``Case`` and says passed, failed or unknown. Failed is for what is wrong beyond doubt; where a
healthy training could look the same, it says unknown, and how to find out. What it raises is told as unknown. ``STAGE``
is its stage of the checklist; ``SHARE``, where it has one, its share of the time that the quick checks leave.
"""
