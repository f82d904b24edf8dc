//! A random population of clients against one application, over 10,000 seeds.
