"""Where bytes may be cut without cutting a character."""


def complete_length(data: bytes) -> int:
    """How many of `data` end with a whole UTF-8 character. Bytes that are not UTF-8 count as whole."""
    size = len(data)
    for back in range(1, min(4, size) + 1):
        byte = data[size - back]
        if byte & 0xC0 == 0x80:
            continue
        needed = 1 if byte >= 0xF8 else 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return size - back if needed > back else size
    return size
