"""What tests share: servers, clips, worlds, checkers. No tests here."""
