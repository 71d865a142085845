"""The yardstick lies in the package, where ``converse speed`` measures it too."""

from converse.nn.literal import LiteralConverse2D, literal_converse2d, make_literal

__all__ = ["LiteralConverse2D", "literal_converse2d", "make_literal"]
