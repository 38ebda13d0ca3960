"""What tests share: small servers, runs that nobody ran, answers that nobody gave. Not tests."""
