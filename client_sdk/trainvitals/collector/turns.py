"""Which step a forward pass belongs to, where several optimizers take turns."""

from __future__ import annotations


class Turns:
    """The first optimizer counts the steps. A forward pass after its step begins the next one, unless another optimizer
    is due that has its own forward pass in every step, as a generator's has after its critic's."""

    def __init__(self, optimizers: int) -> None:
        self._stepped: set[int] = set()  # others, since the first one's last step
        self._earlier: set[int] = set(range(1, optimizers))  # others, in the step before that
        self._apart = set(self._earlier)  # others with a forward pass of their own; all, until they have stepped
        self._has_begun = False
        self._met: set[int] = set()
        self._has_forwarded = False

    def forward(self) -> bool:
        """A training pass begins; whether it is the next step's, if the first optimizer has stepped in this one."""
        self._has_forwarded = True
        return not (self._apart & self._earlier) - self._stepped

    def step(self, optimizer: int) -> None:
        """An optimizer's step begins."""
        if optimizer == 0:
            if self._has_begun:
                self._earlier, self._stepped = self._stepped, set()
            self._has_begun = True
            self._has_forwarded = False
            return
        self._stepped.add(optimizer)
        if self._has_forwarded:
            self._apart.add(optimizer)
        elif optimizer not in self._met:
            self._apart.discard(optimizer)
        self._met.add(optimizer)

    @property
    def is_over(self) -> bool:
        """Whether all have stepped that did in the step before."""
        return self._earlier <= self._stepped
