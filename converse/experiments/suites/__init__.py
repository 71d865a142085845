"""What a suite or an ablation may say: a file in, plans out."""
