{
  description = "@SUMMARY@";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixpkgs-unstable";

  outputs =
    { self, nixpkgs }:
    let
      archives = {
@SYSTEMS@
      };
      package =
        system: archive:
        let
          pkgs = nixpkgs.legacyPackages.${system};
        in
        pkgs.stdenvNoCC.mkDerivation {
          pname = "portway";
          version = "@VERSION@";
          src = pkgs.fetchurl archive;
          # The binary is static on Linux: nothing needs to be changed in it.
          dontConfigure = true;
          dontBuild = true;
          dontFixup = true;
          installPhase = ''
            install -D -m 755 portway $out/bin/portway
            if [ -d man ]; then
              mkdir -p $out/share/man/man1
              cp man/*.1 $out/share/man/man1
            fi
            if [ -d completions ]; then
              install -D -m 644 completions/portway.bash $out/share/bash-completion/completions/portway
              install -D -m 644 completions/_portway $out/share/zsh/site-functions/_portway
              install -D -m 644 completions/portway.fish $out/share/fish/vendor_completions.d/portway.fish
            fi
          '';
          meta = {
            description = "@SUMMARY@";
            homepage = "@HOMEPAGE@";
            license = [
              pkgs.lib.licenses.mit
              pkgs.lib.licenses.asl20
            ];
            mainProgram = "portway";
            platforms = [ system ];
          };
        };
    in
    {
      packages = builtins.mapAttrs (system: archive: {
        default = package system archive;
      }) archives;
    };
}
