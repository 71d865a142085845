"""Figures: each drawn by a pure function from frames or arrays, written as SVG and PDF."""
