"""Read the tables that benchmarks print."""


def rows_of(text: str) -> list[list[str]]:
    """Cells of the body of a printed table."""
    lines = [line for line in text.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]
