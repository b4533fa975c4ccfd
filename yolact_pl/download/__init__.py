"""Files from the net, whole or not at all: resumed where they broke off, checked, and unpacked safely."""
