"""LLVM modules made into object code for the host, and linked into this process."""

from __future__ import annotations

import struct
import sys
import threading
from functools import cache
from typing import Any

from graphc.codegen.words import WRITTEN_OUT

__all__ = ["SUPPORTED", "link", "object_code", "outside"]

# Where objects are ELF of 64 bits, the only ones that are read here.
SUPPORTED = sys.platform == "linux" and sys.maxsize > 2**32 and sys.byteorder == "little"
_ELF = b"\x7fELF\x02\x01"  # 64 bits, little-endian
_SYMBOLS = 2  # the kind of the section that lists symbols
# All that is left to do where loops and vectors are written out: with the usual passes the contraction takes twice as long, and runs no faster.
_FEW_PASSES = "sroa", "new_gvn", "instruction_combine", "simplify_cfg"
_lock = threading.Lock()


def object_code(module: Any) -> bytes:
    """The object code of a module of llvmlite's, optimised for the host."""
    import llvmlite.binding as llvm

    machine = _machine()
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    with _lock:
        parsed = llvm.parse_assembly(str(module))
        parsed.verify()
        tuning = llvm.create_pipeline_tuning_options(speed_level=3)
        tuning.loop_vectorization, tuning.slp_vectorization = True, False
        builder = llvm.create_pass_builder(machine, tuning)
        passes = builder.getModulePassManager()
        if WRITTEN_OUT in module.namedmetadata:
            passes = llvm.create_new_module_pass_manager()
            for name in _FEW_PASSES:
                getattr(passes, f"add_{name}_pass")()
        passes.run(parsed, builder)
        return machine.emit_object(parsed)


def link(symbol: str, needed: list[str], code: bytes) -> int | None:
    """The address of a function of some object code, or ``None`` where a function that it calls is missing."""
    import llvmlite.binding as llvm

    with _lock:
        engine = _engine()
        # A function that is missing would end the process when the code is linked.
        if any(llvm.address_of_symbol(name) is None for name in needed):
            return None
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        return engine.get_function_address(symbol) or None


@cache
def _machine() -> Any:
    """The host, for code that stays in this process or on this machine."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    position = "static" if target.name.startswith("x86") else "default"
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3, reloc=position, codemodel="jitdefault", jit=True)


@cache
def _engine() -> Any:
    """Where object code is linked."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), llvm.Target.from_default_triple().create_target_machine())


def outside(code: bytes) -> list[str]:
    """The symbols that an ELF object takes from elsewhere.

    Raises:
        ValueError: for an object of another format.
    """
    if not code.startswith(_ELF):
        raise ValueError("not an ELF object of 64 bits")
    (start,) = struct.unpack_from("<Q", code, 40)
    size, count = struct.unpack_from("<HH", code, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", code, start + k * size) for k in range(count)]
    names: list[str] = []
    for section in sections:
        if section[1] == _SYMBOLS:
            texts = sections[section[6]][4]
            for at in range(section[4], section[4] + section[5], section[9]):
                name, _, _, index = struct.unpack_from("<IBBH", code, at)
                if index == 0 and name:
                    names.append(code[texts + name : code.index(b"\0", texts + name)].decode())
    return sorted(names)
