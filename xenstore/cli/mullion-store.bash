# SPDX-License-Identifier: MIT
# Completion of mullion-store: commands, then paths of the store itself.
_mullion_store() {
    local cur=${COMP_WORDS[COMP_CWORD]} dir
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$(mullion-store --commands)" -- "$cur")
        return
    fi
    dir=${cur%/*}
    mapfile -t COMPREPLY < <(compgen -W "$(mullion-store list -p "${dir:-/}" 2>/dev/null)" -- "$cur")
    compopt -o nospace
}
complete -F _mullion_store mullion-store
