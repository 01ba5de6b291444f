# SPDX-License-Identifier: MIT
"""The one error of the importer."""


class Refused(Exception):
    """A file that cannot be used as it is; the message names the file or key and what to do."""
