"""Studies to and from other forms: tables, and whole Optuna studies."""
