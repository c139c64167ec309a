"""The methods that EMDE is compared with: session-based, top-k and density estimation, one file each."""
