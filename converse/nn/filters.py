"""The transfer function of reverse convolution from its kernels and λ, and the gradients of both."""

from __future__ import annotations

from torch import Tensor

from converse.nn.spectra import as_complex, kernel_spectra, sum_over


class Filters:
    """P and what is made of it, for the kernels [B, C, k, l] of a group of channels; all [B, C, s or 1, t or 1, H, W'].

    Attributes:
        spectra: P.
        conjugate: conj(P).
        reciprocal: 1 / (M + λ): complex, as all that it multiplies is, with an imaginary part of 0.
    """

    def __init__(
        self, weight: Tensor, lam: Tensor, size: tuple[int, int], scale: tuple[int, int], interpolate: bool
    ) -> None:
        self.spectra = kernel_spectra(weight, size, scale)
        self.conjugate = self.spectra.conj().resolve_conj()
        power = (self.spectra * self.conjugate).real  # faster than squaring the two parts: they lie interleaved
        self._one_phase = scale == (1, 1)
        if not self._one_phase:
            power = sum_over(power, (2, 3))
        lam = lam[:, :, None, None]
        self._lam = as_complex(lam)
        self._interpolate = interpolate
        self.reciprocal = as_complex((power + lam).reciprocal_())

    def transfer(self) -> Tensor:
        """T."""
        return self._filter(self.spectra, self.conjugate)

    def adjoint(self) -> Tensor:
        """conj(T)."""
        return self._filter(self.conjugate, self.spectra)

    def _filter(self, spectra: Tensor, conjugate: Tensor) -> Tensor:
        if self._interpolate and self._one_phase:
            # The same as below without its cancellation, where T is small.
            return (spectra + self._lam) * self.reciprocal
        product = spectra * self._rest(conjugate)
        return product.add_(1) if self._interpolate else product

    def _rest(self, spectra: Tensor) -> Tensor:
        """(1 - x0·ΣP) / (M + λ): conj(S), and S for the conjugate of P."""
        if not self._interpolate:
            return self.reciprocal
        total = spectra if self._one_phase else sum_over(spectra, (2, 3))
        return (1 - total) * self.reciprocal

    def gradients(self, gt: Tensor, columns: Tensor, of_kernels: bool) -> tuple[Tensor, Tensor | None]:
        """gλ [B, C], and gP, of which :func:`kernel_spectra_adjoint` makes the gradient of K; ``gt`` is changed."""
        rest = self._rest(self.spectra)  # conj(S)
        if self._one_phase:
            moved = (gt * (rest * self.conjugate)).real  # Re(gT·conj(T - x0)), not as a difference: T may be near 1
        else:
            inner = sum_over(gt * self.conjugate, (2, 3))  # conj(h)
            moved = (inner * rest).real  # Re(h·S)
        pull = moved * self.reciprocal.real
        grad_lam = (pull.sum(dim=(2, 3, 4)) * -columns).sum(-1)
        if not of_kernels:
            return grad_lam, None
        if self._one_phase:
            whole = moved.add_(gt.real) if self._interpolate else moved  # Re(gT·conj(T))
            return grad_lam, gt.addcmul_(self.spectra, whole.to(gt.dtype), value=-2).mul_(self.reciprocal)
        gp = (gt * rest).addcmul_(self.spectra, pull.to(gt.dtype), value=-2)
        if self._interpolate:
            gp -= inner.mul_(self.reciprocal).conj()
        return grad_lam, gp
