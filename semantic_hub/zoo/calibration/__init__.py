"""How often are the tests wrong where the truth is known?"""
