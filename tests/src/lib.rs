//! The whole service under test: helpers of the test files beside this one.
