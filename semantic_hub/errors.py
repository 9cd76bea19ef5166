"""The one exception and the one warning category of the package."""


class SemanticHubError(ValueError):
    """Bad input, told in four parts: what was asked, what came, what was expected, how to mend it.

    Args:
        operation: The call that failed, as the user wrote it (``"similarity"``).
        got: What came: a value, a shape, a file and line.
        expected: What would have been accepted.
        fix: One sentence on what to do now.

    Example:
        >>> from semantic_hub.errors import SemanticHubError
        >>> print(SemanticHubError("similarity", got="0 pairs", expected="at least 2 pairs",
        ...                        fix="Pass more pairs."))
        similarity: got 0 pairs; expected at least 2 pairs. Pass more pairs.
    """

    def __init__(self, operation: str, *, got: object, expected: str, fix: str) -> None:
        super().__init__(f"{operation}: got {got}; expected {expected}. {fix}")
        self.operation, self.got, self.expected, self.fix = operation, got, expected, fix

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.operation, self.got, self.expected, self.fix)


class NothingLeftError(SemanticHubError):
    """Every item had to be dropped for this model, such as words that its tokenizer splits."""


class SemanticHubWarning(UserWarning):
    """Something that changes what the numbers mean, said once."""


def _rebuild(operation: str, got: object, expected: str, fix: str) -> SemanticHubError:
    return SemanticHubError(operation, got=got, expected=expected, fix=fix)
