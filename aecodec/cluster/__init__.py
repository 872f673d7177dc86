"""Very many pictures, anywhere: addresses of object stores and web servers, and the machines of a Ray cluster.

::

    inputs      addresses -> chunks of pictures, listed as they are needed
    coding      bytes of one picture -> bytes of the other kind, and what there is to say of them
    worker      a chunk: read, code, write, and then one part of the manifest, which makes it finished
    bulk        the run: what is not finished yet, on this machine or on a cluster
    steps       compress and decompress as steps of users' own Ray Datasets

Ray and pyarrow come with ``pip install 'aecodec[cluster]'``; nothing here needs PyTorch.
"""

from aecodec.cluster.steps import compress, decompress

__all__ = ["compress", "decompress"]
