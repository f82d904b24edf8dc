//! Random load and restarts.
